# Three images: `app` (the last stage and therefore the default), `lambda` and `tests`.

FROM python:3.11-slim AS base
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /app
RUN useradd --system --uid 10001 --create-home app

# --- Packages, only as wheels, so that no compiler is needed -------------------------------------

FROM base AS packages
RUN python -m venv /venv
COPY requirements.txt .
RUN pip install --no-cache-dir --only-binary :all: -r requirements.txt

FROM packages AS test-packages
COPY requirements-lambda.txt requirements-dev.txt ./
RUN pip install --no-cache-dir --only-binary :all: -r requirements-dev.txt

# --- Tests ---------------------------------------------------------------------------------------

FROM base AS tests
# Database servers and a browser, which some tests start.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        chromium libcurl4 mariadb-server postgresql redis-server \
    && rm -rf /var/lib/apt/lists/*
COPY --from=test-packages /venv /venv
COPY . .
# The test tools write their caches into the project folder.
RUN chown -R app /app
USER 10001
CMD ["sh", "-c", "pytest -n 3 --dist loadfile && TEST_DATABASES=servers pytest -n 3 --dist loadfile && pytest -n 3 --dist loadfile -m 'full and not soak'"]

# --- The application -----------------------------------------------------------------------------

FROM base AS code
COPY manage.py ./
COPY common common
COPY config config
COPY local local
COPY stats stats
COPY dataprovider dataprovider
COPY dashboard dashboard
COPY repairjobs repairjobs
RUN python -m compileall -q .
# The root file system may be read-only. Only this folder is written to.
ENV DATA_DIR=/tmp/data PYTHONDONTWRITEBYTECODE=1

# For AWS Lambda. template.yaml sets the handler of each function.
FROM packages AS lambda-packages
COPY requirements-lambda.txt .
RUN pip install --no-cache-dir --only-binary :all: -r requirements-lambda.txt

FROM code AS lambda
COPY --from=lambda-packages /venv /venv
COPY serverless serverless
USER 10001
ENTRYPOINT ["python", "-m", "awslambdaric"]
CMD ["serverless.handlers.http"]

FROM code AS app
COPY --from=packages /venv /venv
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz')"]
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", \
     "--blocking-threads", "16", "--backpressure", "256", "--no-ws", "--log-level", "error", \
     "--workers-kill-timeout", "35", "config.wsgi:application"]
