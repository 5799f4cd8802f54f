#include "tests/crash/wire_client.hpp"

#include "protocol/frame.hpp"

#include <arpa/inet.h>
#include <array>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace holdfast::crash {

wire_client::wire_client(const server_address& server, std::chrono::milliseconds timeout) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server.port);
    ::inet_pton(AF_INET, server.host.c_str(), &address.sin_addr);
    const timeval limit{timeout.count() / 1000, timeout.count() % 1000 * 1000};
    const int on = 1;
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit); // of connect, too
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        ::close(socket_);
        socket_ = -1;
    }
}

wire_client::~wire_client() {
    if (socket_ >= 0)
        ::close(socket_);
}

std::optional<reply> wire_client::exchange(byte_view frame) {
    for (std::size_t sent = 0; sent < frame.size();) {
        const auto count = ::send(socket_, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
        if (count <= 0)
            return std::nullopt;
        sent += static_cast<std::size_t>(count);
    }
    for (;;) {
        const auto found = protocol::next_frame(received_);
        if (!found.ok())
            return std::nullopt;
        if (!*found) {
            if (!read_more())
                return std::nullopt;
            continue;
        }
        reply answer;
        const auto end = received_.begin() + static_cast<std::ptrdiff_t>((*found)->size);
        answer.bytes.assign(received_.begin(), end);
        received_.erase(received_.begin(), end);
        const auto whole = protocol::next_frame(answer.bytes);
        if (!answer.command.decode(**whole).ok())
            return std::nullopt;
        // The broker's own requests (rebalance notices) are none of our business.
        if (answer.command.is_response() && answer.command.opaque() == opaque_)
            return answer;
    }
}

bool wire_client::read_more() {
    std::array<std::byte, 65536> chunk;
    const auto count = ::recv(socket_, chunk.data(), chunk.size(), 0);
    if (count <= 0)
        return false;
    received_.insert(received_.end(), chunk.begin(), chunk.begin() + count);
    return true;
}

} // namespace holdfast::crash
