# The same base for everybody who builds this commit, amd64 or arm64. `make base-images` looks for a newer one.
FROM python:3.13-slim-bookworm@sha256:67a1e1f215ccda113cfc024e8639049257e88f273898f595b61476d128d387e8 AS build
WORKDIR /src
COPY pyproject.toml requirements.lock supply/unused.txt ./
# Exactly the versions of the lock file, each with its hash: uv by pip, everything else by uv. What is never used stays out.
RUN sed -n '/^uv==/,/[^\\]$/p' requirements.lock >uv.txt \
 && pip install --no-cache-dir --require-hashes --requirement uv.txt \
 && uv venv /venv \
 && uv pip install --python /venv --no-cache --compile-bytecode \
      --require-hashes --constraint requirements.lock --excludes unused.txt --requirement pyproject.toml --extra oidc \
 && uv venv /tools \
 && uv pip install --python /tools --no-cache --require-hashes --constraint requirements.lock --group build --group sbom

COPY DESCRIPTION.md LICENSE ./
COPY connector connector
COPY mappings mappings
COPY supply/sbom.py ./
RUN uv build --python /tools --no-build-isolation --wheel --out-dir wheels \
 && uv pip install --python /venv --no-cache --compile-bytecode --offline --no-deps wheels/*.whl \
 && /tools/bin/python sbom.py --environment /venv --lock requirements.lock --unused unused.txt --extra oidc \
      --output /venv/share/carecycle-crm-connector/sbom.cdx.json

FROM python:3.13-slim-bookworm@sha256:67a1e1f215ccda113cfc024e8639049257e88f273898f595b61476d128d387e8
COPY --from=build /venv /venv

# A number, so that an orchestrator can see that it is not root.
RUN groupadd --gid 10001 connector \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin connector \
 && install --directory --owner 10001 --group 10001 --mode 0700 /data
USER 10001:10001

# The root file system may be read-only: everything written goes to /data (the SQLite file, its data key, its wake-up
# pipe, and the state outside the database) and to /tmp (the counters that the roles share), which may be a tmpfs.
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TMPDIR=/tmp \
    CONNECTOR_DATABASE_URL=sqlite:////data/connector.db \
    CONNECTOR_LISTEN=0.0.0.0:8080 \
    CONNECTOR_ADMIN_LISTEN=0.0.0.0:8081
# The admin port (console, metrics, health) listens on every address of the container, since a published port arrives at
# none of its loopback: publish it on the host's loopback only (-p 127.0.0.1:8081:8081), as compose.yaml does.
EXPOSE 8080 8081
VOLUME /data
WORKDIR /data

# No curl in a slim image, and no proxy between a container and itself.
HEALTHCHECK --interval=30s --timeout=6s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; port = os.environ['CONNECTOR_ADMIN_LISTEN'].rsplit(':', 1)[1]; u.build_opener(u.ProxyHandler({})).open(f'http://127.0.0.1:{port}/readyz', timeout=5)"]

STOPSIGNAL SIGTERM
ENTRYPOINT ["connector"]
CMD ["run", "-c", "/config"]

# From what it was built, and when: `make image` and the release workflow say it.
ARG SOURCE=""
ARG REVISION=""
ARG CREATED=""
LABEL org.opencontainers.image.title="careCycle CRM connector" \
      org.opencontainers.image.description="A self-hosted bridge from careCycle's signed webhooks to Salesforce and HubSpot" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED"
