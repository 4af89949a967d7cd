FROM python:3.13
RUN apt-get update && apt-get install -y gcc libgomp1 && adduser --system me
WORKDIR /app
COPY . /app
RUN pip install torch==2.9 requests
CMD ["python", "model.py"]
