# One image for the site, the workers and the scheduler; compose.yaml says which command each runs.
FROM python:3.11-slim-bookworm
RUN apt-get update \
 && apt-get install --yes --no-install-recommends postgresql-client \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 10001 deeplesion \
 && install --directory --owner=deeplesion /data
WORKDIR /app
COPY requirements.txt constraints.txt ./
RUN pip install --no-cache-dir -r requirements.txt -c constraints.txt
COPY . .
ENV DATA_DIR=/data PYTHONUNBUFFERED=1
USER deeplesion
VOLUME /data
EXPOSE 8000
