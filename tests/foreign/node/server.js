// A shop: each visitor has a cart that is kept in memory, and each page is rendered from it.
const express = require("express");

const VISITORS = 5000;
const carts = new Map();
const app = express();

app.get("/health", (request, response) => response.send("ok\n"));

app.get("/cart/:visitor", (request, response) => {
  const visitor = Number(request.params.visitor) % VISITORS;
  const cart = carts.get(visitor) ?? [];
  cart.push({ item: visitor * 7, name: `item ${visitor}`, added: new Date().toISOString() });
  carts.set(visitor, cart.slice(-20));
  const rows = Array.from({ length: 200 }, (_, n) => ({ n, price: n * 1.25, cart: cart.length }));
  response.json({ visitor, cart, offers: rows });
});

app.listen(3000);
