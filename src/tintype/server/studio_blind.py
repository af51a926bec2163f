"""The tab of the human test: the page that `tintype blind` wrote, or how to make one."""

from __future__ import annotations

import gradio as gr

_HOW = """
### Can people tell the model's pictures from real ones?

The blind test shows real and generated pictures one by one, each once, and asks which it is. Make a page of it from a
model and pictures that it never saw, then start the server with that page:

```
tintype blind MODEL --data FOLDER --out test.html
tintype serve --model MODEL --blind-test test.html
```

The page needs nothing but itself, so it can be sent to people as well.
"""
_READY = """
### Can people tell the model's pictures from real ones?

Real and generated pictures are shown one by one; you say which it is, by clicks or by the keys that the page names. At
the end it tells your result and saves your answers as a file. Nothing is sent anywhere. Whoever runs the test scores
the files of all people together:

```
tintype blind --score answers/*.json
```
"""


def blind_tab(offered: bool) -> None:
    """The tab; `offered`: the server was started with a page."""
    if not offered:
        gr.Markdown(_HOW)
        return
    gr.Markdown(_READY)
    gr.Button("Begin the test in a page of its own", link="blind-test", link_target="_blank", variant="primary")
