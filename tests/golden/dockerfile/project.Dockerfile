FROM python:3.13
WORKDIR /app
COPY . .
RUN pip install -e '.[dev,redis]' && python -m app.assets
CMD ["app"]
