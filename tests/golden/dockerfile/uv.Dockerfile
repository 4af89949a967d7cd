FROM python:3.13
COPY --from=ghcr.io/astral-sh/uv:0.9 /uv /bin/uv
WORKDIR /app
COPY . .
RUN uv sync --frozen
CMD ["app"]
