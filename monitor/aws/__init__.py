"""The AWS client: calls, retries, credentials and checked responses. No raw AWS dict or error leaves this package."""
