"""HTML pages for people, rendered on the server. The only package that imports Jinja2."""
