FROM python:3.13
ARG TOKEN
ENV PIP_EXTRA_INDEX_URL=https://x:${TOKEN}@example.org/simple
RUN apt-get update && apt-get install gcc && pip install --pre -i https://example.org/s fast==1
WORKDIR /app
COPY . .
CMD python a.py
