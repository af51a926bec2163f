"""The HTTP server: models behind an API, and the studio. Needs `tintype[serve]`, and no torch."""
