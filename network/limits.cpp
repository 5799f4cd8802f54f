#include "network/limits.hpp"

#include "config/node_config.hpp"

#include <algorithm>

namespace holdfast::network {

limits limits_of(const config::node_config& settings) {
    limits bounds;
    bounds.connections = settings.max_connections;
    bounds.connections_per_address = settings.max_connections_per_address;
    bounds.incoming_bytes_total = settings.max_incoming_bytes;
    bounds.outgoing_soft_bytes = settings.max_outgoing_bytes;
    bounds.outgoing_pause_bytes = settings.max_outgoing_bytes / 4;
    bounds.outgoing_hard_bytes = settings.max_outgoing_bytes * 2;
    bounds.outgoing_bytes_total = std::max(bounds.outgoing_bytes_total, 8 * bounds.outgoing_soft_bytes);
    bounds.slow_reader_timeout = settings.slow_reader_timeout;
    bounds.slow_frame_timeout = settings.slow_frame_timeout;
    bounds.idle_timeout = settings.idle_timeout;
    bounds.io_threads = settings.io_threads;
    return bounds;
}

} // namespace holdfast::network
