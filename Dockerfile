# The dashboard in a container: the same steps as on any machine, then an ordinary user.
#   docker build -t mlops-copilot .
#   docker run -p 8501:8501 -v mlops-copilot:/data -e MLFLOW_TRACKING_URI=http://... mlops-copilot
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install -y --no-install-recommends make git \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 copilot \
    && install -d -o copilot -g copilot /data

WORKDIR /srv/mlops-copilot
ENV UV_COMPILE_BYTECODE=1

# The requirements are a layer of their own: a change of the code does not install them again.
COPY scripts scripts
COPY requirements requirements
RUN --mount=type=cache,target=/root/.cache \
    scripts/setup.sh all requirements && rm -rf /var/lib/apt/lists/*

COPY . .
RUN --mount=type=cache,target=/root/.cache \
    make setup

ENV MLOPS_COPILOT_HOME=/data \
    MLOPS_COPILOT_SERVER__HOST=0.0.0.0 \
    PATH=/srv/mlops-copilot/.venv/bin:$PATH
VOLUME /data
EXPOSE 8501
USER copilot
HEALTHCHECK --start-period=60s --timeout=5s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["mlops-copilot", "dashboard", "--port", "8501", "--no-browser"]
