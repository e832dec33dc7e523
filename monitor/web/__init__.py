"""HTTP: `/metrics`, the probes and the home page. The only package that imports Starlette and uvicorn."""
