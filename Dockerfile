# The first stage builds the wheel, the second one holds only what runs. No secret enters either.
FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements-dev.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-dev.txt
COPY pyproject.toml README.md LICENSE ./
COPY bot ./bot
COPY handlers ./handlers
COPY schedules ./schedules
COPY locales ./locales
RUN pip wheel --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --no-index --wheel-dir /dist .

FROM python:3.11-slim
COPY requirements.txt /tmp/
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: -r /tmp/requirements.txt
COPY --from=build /dist /tmp/dist
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps --no-index /tmp/dist/*.whl
RUN useradd --system --uid 10001 --user-group --home-dir /data --no-create-home followup \
    && mkdir /data \
    && chown followup:followup /data \
    && chmod 700 /data
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    FOLLOWUP_DATABASE_URL=sqlite:////data/followup.sqlite3 \
    FOLLOWUP_HEALTH_PORT=8080 \
    FOLLOWUP_WEBHOOK_HOST=0.0.0.0
USER followup
WORKDIR /data
VOLUME /data
STOPSIGNAL SIGTERM
# The answer comes from this container itself, so no proxy may come between.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.build_opener(web.ProxyHandler({})).open('http://127.0.0.1:' + os.environ['FOLLOWUP_HEALTH_PORT'] + '/healthz', timeout=4)"]
CMD ["followup", "run"]
