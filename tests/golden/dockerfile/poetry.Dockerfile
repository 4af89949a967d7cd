FROM python:3.13
ENV POETRY_VIRTUALENVS_CREATE=false
RUN pip install poetry==2.2
WORKDIR /app
COPY pyproject.toml poetry.lock ./
RUN poetry install --no-root
COPY app app
CMD ["uvicorn", "app:main"]
