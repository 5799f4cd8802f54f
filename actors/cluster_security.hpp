// How nodes of a cluster reach each other: CAF's middleman, with mutual TLS where certificates are given.
#pragma once

#include "base/result.hpp"

#include <caf/actor_system_config.hpp>

#include <optional>
#include <string>

namespace holdfast::actors {

// PEM files. Both sides of every connection show a certificate that the authority has signed; whoever holds
// one is a member, whatever name it bears, so the authority must be the cluster's own.
struct cluster_tls {
    std::string certificate; // with the chain below the authority, if there is one
    std::string key;         // of the certificate; without passphrase
    std::string authority;
};

// Whether a node could work with these files: readable, the key is the certificate's, the authority signed
// it, and it may be used now. CAF reads them again for every connection and ends the process when it can't,
// so they must stay in place while the node runs.
result<void> check_certificates(const cluster_tls& tls);

// To be called before the actor system is made. Loads the middleman (and CAF's TLS), turns on heartbeats, and
// gives this actor system a random node id. CAF's own is made of the machine and the process id: in
// containers two nodes, or two lives of one, may bear the same, and messages to the one would reach the
// other.
void configure_transport(caf::actor_system_config& config, const std::optional<cluster_tls>& tls);

} // namespace holdfast::actors
