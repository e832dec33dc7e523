"""The metrics of products and stack instances, made into text when they change and not when they are scraped."""
