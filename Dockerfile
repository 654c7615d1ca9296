# One image for every role; the command chooses: migrate, api, publish, project, mail (or run, for everything in one).

FROM python:3.12.11-slim-bookworm AS build
# g++ and make build the parser of Tartiflette; they stay behind in this stage.
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY scripts/uv scripts/uv
RUN scripts/uv --version
COPY . .
# The lock as constraints: its versions and its hashes, without the packages that only developers need.
RUN scripts/uv venv --python python3 /opt/emsp \
    && scripts/uv pip install --no-cache --python /opt/emsp/bin/python --constraint requirements.lock . \
    && /opt/emsp/bin/python -m compileall -q /opt/emsp/lib

FROM python:3.12.11-slim-bookworm
# A name for the number: PostgreSQL's programs (of `emsp run`) want to know who they are.
RUN useradd --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin emsp \
    && install -d -o emsp -g emsp -m 0700 /data
COPY --from=build /opt/emsp /opt/emsp
ENV PATH=/opt/emsp/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    EMSP_DATA_DIR=/data \
    EMSP_HTTP_HOST=0.0.0.0 \
    EMSP_METRICS_HOST=0.0.0.0 \
    EMSP_LOG_FORMAT=json
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080 9464
STOPSIGNAL SIGTERM
ENTRYPOINT ["emsp"]
CMD ["api"]
