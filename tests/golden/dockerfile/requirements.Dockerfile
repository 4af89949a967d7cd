FROM python:3.13
WORKDIR /app
COPY . .
RUN pip install --upgrade pip && pip install -r requirements.txt
ENV PYTHONUNBUFFERED=1
EXPOSE 8080
CMD ["python", "app.py"]
