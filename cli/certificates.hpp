// A small certificate authority for mutual TLS among the nodes of a cluster: a key and a certificate for the
// authority, and one pair for each node, signed by it. PEM, elliptic curve P-256.
//
// For tests and closed networks. Nothing is ever revoked: whoever has the authority's key can make a node
// that the others trust, and so read and change every message. Keep it off the nodes.
#pragma once

#include "base/result.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace holdfast::cli {

struct pem_pair {
    std::filesystem::path certificate;
    std::filesystem::path key; // readable by its owner only
};

// DIR/NAME.crt and DIR/NAME.key; the authority's NAME is "ca".
[[nodiscard]] pem_pair pair_in(const std::filesystem::path& folder, const std::string& name);

// Writes a new authority into `folder`, which is made if need be. already_exists when one of its files is
// there: nothing is overwritten.
result<pem_pair> make_authority(const std::filesystem::path& folder, int days);

struct node_identity {
    std::string name;
    std::vector<std::string> hosts; // IPv4 addresses and DNS names, for subjectAltName
};

// Writes a pair for the node into `folder`, good as server and as client, signed by the authority in
// `authority`, whose certificate is copied beside it when it is not there yet. already_exists as above.
result<pem_pair> make_node_certificate(const node_identity& node, const std::filesystem::path& authority,
                                       const std::filesystem::path& folder, int days);

} // namespace holdfast::cli
