//! The way by the server's relay: its URL, and how iroh gets there: by the names and the certificates that
//! everything else of this program goes by.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::Pin;
use std::sync::Arc;

use iroh::dns::{BoxIter, DnsError, DnsResolver, Resolver, TxtRecordData};
use iroh::endpoint::Builder;
use iroh::tls::CaTlsConfig;
use iroh::{NetReportConfig, RelayConfig, RelayMap, RelayMode, RelayUrl};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use tokio::net::lookup_host;

use crate::net::{Address, Connector};

/// Where a server's relay is.
pub(super) fn url(server: &Address) -> Option<RelayUrl> {
    let scheme = if server.is_tls() { "https" } else { "http" };
    format!("{scheme}://{}", server.authority()).parse().ok()
}

/// Has an endpoint go by way of the server, and ask it, over TLS, under which address it is seen.
pub(super) fn through(builder: Builder, url: RelayUrl, server: &Connector) -> Builder {
    let address = server.address();
    let mut relay = RelayConfig::from(url);
    relay.quic = relay.quic.filter(|_| address.is_tls()).map(|mut seen| {
        seen.port = address.port();
        seen
    });
    let map = RelayMap::from(relay);
    // Nobody but the relay is asked; whether it is there has to be known before anybody is told of it.
    let mut report = NetReportConfig::minimal();
    report.https_probes = true;
    let builder = builder
        .relay_mode(RelayMode::Custom(map))
        .net_report_config(report)
        .dns_resolver(DnsResolver::custom(Names));
    match server.roots().cloned() {
        None => builder,
        Some(roots) => {
            let verifier = move |provider| {
                let verifier =
                    WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), provider);
                let verifier = verifier.build().map_err(io::Error::other)?;
                Ok(verifier as Arc<dyn ServerCertVerifier>)
            };
            builder.ca_tls_config(CaTlsConfig::custom_server_cert_verifier(Arc::new(verifier)))
        }
    }
}

/// Names are asked for where the system asks for them.
#[derive(Debug)]
struct Names;

type Looked<T> = Pin<Box<dyn Future<Output = Result<BoxIter<T>, DnsError>> + Send>>;

impl Resolver for Names {
    fn lookup_ipv4(&self, host: String) -> Looked<Ipv4Addr> {
        Box::pin(look_up(host, |address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        }))
    }

    fn lookup_ipv6(&self, host: String) -> Looked<Ipv6Addr> {
        Box::pin(look_up(host, |address| match address {
            IpAddr::V6(address) => Some(address),
            IpAddr::V4(_) => None,
        }))
    }

    fn lookup_txt(&self, _: String) -> Looked<TxtRecordData> {
        // That is how endpoints are found that nobody has told of.
        Box::pin(async { Ok(Box::new(std::iter::empty()) as BoxIter<TxtRecordData>) })
    }

    fn clear_cache(&self) {}

    fn reset(&self) -> Box<dyn Resolver> {
        Box::new(Self)
    }
}

async fn look_up<T: Send + 'static>(
    host: String,
    wanted: fn(IpAddr) -> Option<T>,
) -> Result<BoxIter<T>, DnsError> {
    let found = lookup_host((host, 0)).await;
    let found = found.map(|found| found.filter_map(|address| wanted(address.ip())).collect());
    // What is not found here may be found as the other kind of address.
    let found: Vec<T> = found.unwrap_or_default();
    Ok(Box::new(found.into_iter()))
}
