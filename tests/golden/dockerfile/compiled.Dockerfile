FROM python:3.13-bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential libpq-dev curl vim libfoo2 tini \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home web && mkdir -p /data && chown web /data
WORKDIR /app
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY --chown=web:web . .
USER web
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=5s CMD curl -f http://localhost:8000/ || exit 1
ENTRYPOINT ["tini", "--"]
CMD ["python", "-m", "web"]
