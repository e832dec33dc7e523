"""HTTP: `/metrics`, the two probes and a page for people. The only room that knows Starlette and uvicorn."""
