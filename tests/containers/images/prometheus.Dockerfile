FROM debian:trixie-slim
RUN apt-get update && \
    apt-get install --yes --no-install-recommends prometheus wget && \
    rm -rf /var/lib/apt/lists/* /etc/prometheus && \
    install --directory --owner nobody --group nogroup /etc/prometheus /prometheus
USER nobody
VOLUME /prometheus
WORKDIR /prometheus
EXPOSE 9090
ENTRYPOINT ["/usr/bin/prometheus"]
