// What holdfast_load is told on its command line.
#pragma once

#include "protocol/frame.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace holdfast::bench {

struct load_options {
    std::string host = "127.0.0.1";
    std::uint16_t broker_port = 10911;
    std::uint16_t namesrv_port = 9876; // push only

    protocol::serialize_type headers = protocol::serialize_type::binary;
    std::string topic_prefix = "load";
    std::uint32_t topics = 1; // at most 100,000: their names have five digits
    std::uint32_t queues = 4; // of each topic, at most 10
    std::size_t body_bytes = 1024;
    bool transactional = false; // halves, each committed as soon as it is answered
    bool undecided = false;     // of halves: they are not committed
    std::uint64_t delay_ms = 0; // messages are (with push: were) delayed by up to so much; 0 = not at all

    std::uint32_t connections = 1;
    std::uint32_t outstanding = 64; // of each connection
    double rate = 0;                // sends/s over all connections, open loop; 0 = closed loop
    std::chrono::duration<double> duration{5};
    std::chrono::duration<double> warm_up{1};
    std::uint64_t count = 0; // sends after the warm-up, or messages to drain; 0 = as long as `duration`

    unsigned listener_threads = 1;     // push only
    std::uint64_t send_back_every = 0; // push only: so often a message is sent back once; 0 = never
    bool json_output = false;
};

} // namespace holdfast::bench
