"""A price list that is rendered from templates and cached in Valkey."""

import json
import random

from flask import Flask, render_template_string

import redis

PAGES = 20_000
PAGE = "<table>{% for row in rows %}<tr><td>{{ row.name }}<td>{{ row.price }}{% endfor %}</table>"

app = Flask(__name__)
cache = redis.Redis("cache")


@app.get("/health")
def health() -> str:
    return "ok\n"


@app.get("/prices/<int:number>")
def prices(number: int) -> str:
    """Return a page, from the cache in one of two cases."""
    key = f"page:{number % PAGES}"
    if random.random() < 0.5 and (page := cache.get(key)):
        return page.decode()
    rows = json.loads(json.dumps([{"name": f"item {n}", "price": n * 1.25} for n in range(100)]))
    page = render_template_string(PAGE, rows=rows)
    cache.set(key, page, ex=3600)
    return page
