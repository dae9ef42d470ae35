# One image for every process: the command chooses which. docs/containers.md says how it is built and run.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_CACHE_DIR=/var/cache/pip \
    PYTHONDONTWRITEBYTECODE=1 \
    UV_CACHE_DIR=/var/cache/uv \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy
RUN --mount=type=cache,target=/var/cache/pip \
    python -m venv /opt/tools && /opt/tools/bin/pip install "uv==0.9.*"
# The packages change less often than the code: a layer of their own.
COPY requirements.lock /src/
RUN --mount=type=cache,target=/var/cache/uv \
    python -m venv --without-pip /opt/venv && \
    /opt/tools/bin/uv pip install --python /opt/venv/bin/python --requirement /src/requirements.lock
COPY manage.py sightline.py /app/
COPY platform /app/platform
COPY cameras /app/cameras
COPY inference /app/inference
COPY streaming /app/streaming
COPY templates /app/templates
RUN /opt/venv/bin/python -m compileall -q /app

FROM ${PYTHON_IMAGE}
# tini: a process that is number 1 would not hear SIGTERM before it has set its own handler, and would have to bury foreign children.
# Debian's security updates are wanted, whatever their version.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install --yes --no-install-recommends tini && \
    rm -rf /var/lib/apt/lists/* && \
    groupadd --gid 10001 sightline && \
    useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /data --shell /usr/sbin/nologin sightline && \
    install --directory --owner 10001 --group 10001 /data /data/media
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    BIND=0.0.0.0 \
    DATA_DIR=/data
WORKDIR /app
# Only /data and /tmp are written to: the rest may be read-only. No VOLUME, which would leave an unnamed one behind with each container.
USER 10001:10001
EXPOSE 8000 9100
HEALTHCHECK --interval=10s --timeout=8s --start-period=40s --retries=3 CMD ["python", "-m", "sightline.telemetry.probe"]
ENTRYPOINT ["tini", "--"]
CMD ["python", "manage.py", "runweb"]
