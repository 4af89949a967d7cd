FROM python:3.13
COPY requirements.txt requirements-dev.txt /app/
WORKDIR /app
RUN pip install -r requirements-dev.txt gunicorn==23 'uvicorn[standard]>=0.30' mypy
COPY app app
CMD gunicorn app:main --bind 0.0.0.0:$PORT
