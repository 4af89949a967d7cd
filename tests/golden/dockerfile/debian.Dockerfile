FROM debian:trixie AS system
RUN apt-get update && apt-get install -y python3 python3-pip tzdata
FROM system
ARG VERSION=1
LABEL version=$VERSION
COPY run.py /usr/local/bin/run.py
RUN <<EOF
pip3 install --break-system-packages redis
date > /built
EOF
CMD ["python3", "/usr/local/bin/run.py"]
