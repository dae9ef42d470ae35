FROM debian:trixie-slim
RUN groupadd --system --gid 999 redis && \
    useradd --system --gid redis --uid 999 --home-dir /data redis && \
    apt-get update && \
    apt-get install --yes --no-install-recommends redis-server && \
    rm -rf /var/lib/apt/lists/* && \
    install --directory --owner redis --group redis /data
VOLUME /data
WORKDIR /data
EXPOSE 6379
CMD ["redis-server"]
