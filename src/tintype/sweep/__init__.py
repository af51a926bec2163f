"""Training one recipe with many settings: what is tried, who trains what, and the table of results.

`definition` reads what is asked, `points` makes recipes of it, `store` decides which process owns which point,
`trial` and `child` train one in a process of its own, `results` writes the table, `run` is the whole of it.
"""
