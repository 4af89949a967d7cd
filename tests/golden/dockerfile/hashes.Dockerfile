FROM python:3.12-slim
WORKDIR /srv
COPY requirements/base.txt requirements/
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=ca \
    pip install --require-hashes -r requirements/base.txt
COPY src/ ./
USER 1000:1000
ENTRYPOINT ["python", "-m", "service"]
