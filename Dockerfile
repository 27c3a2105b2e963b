# The program, and whom it trusts for TLS. `make image` puts both into the folder that it is built of.
FROM scratch
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY ostro /bin/ostro
ENV PATH=/bin HOME=/root
WORKDIR /tmp
WORKDIR /work
ENTRYPOINT ["/bin/ostro"]
