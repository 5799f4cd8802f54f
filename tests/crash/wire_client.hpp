// One blocking connection that speaks the protocol as it is on the wire: what the client library hides.
#pragma once

#include "base/byte_buffer.hpp"
#include "protocol/requests.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::crash {

struct reply {
    std::vector<std::byte> bytes; // `command` points into them
    protocol::remoting_command command;

    [[nodiscard]] int code() const { return command.code(); }
    [[nodiscard]] bool ok() const { return code() == 0; }
};

// Where a server listens; port 0 = nowhere.
struct server_address {
    // Mostly it is loopback, and then the port says it all.
    server_address(std::uint16_t loopback_port) : port(loopback_port) {}
    server_address(std::string ip, std::uint16_t ip_port) : host(std::move(ip)), port(ip_port) {}

    std::string host = "127.0.0.1";
    std::uint16_t port = 0;
};

class wire_client {
  public:
    explicit wire_client(const server_address& server,
                         std::chrono::milliseconds timeout = std::chrono::seconds{10});
    wire_client(const wire_client&) = delete;
    wire_client& operator=(const wire_client&) = delete;
    ~wire_client();

    // Nothing when the connection broke or the answer did not come in time; then nothing works any more.
    template <class Request>
    std::optional<reply> ask(const Request& request, byte_view body = {}) {
        byte_buffer frame;
        protocol::append_request(frame, {.opaque = ++opaque_, .serialize = protocol::serialize_type::binary},
                                 request, body);
        return exchange(frame.view());
    }
    // Code 310 or 320; the body is the request's.
    std::optional<reply> send(const protocol::send_message_request& request) {
        byte_buffer frame;
        protocol::append_send_message(
            frame, {.opaque = ++opaque_, .serialize = protocol::serialize_type::binary}, request);
        return exchange(frame.view());
    }

  private:
    std::optional<reply> exchange(byte_view frame);
    bool read_more();

    int socket_ = -1;
    std::int32_t opaque_ = 0;
    std::vector<std::byte> received_;
};

} // namespace holdfast::crash
