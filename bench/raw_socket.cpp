#include "bench/raw_socket.hpp"

#include "bench/send_frames.hpp"
#include "protocol/requests.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace holdfast::bench {

void give_up(const std::string& why) {
    fmt::print(stderr, "holdfast_load: {}\n", why);
    std::exit(1);
}

std::uint64_t now_ns() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

std::uint64_t wall_ms() {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                          std::chrono::system_clock::now().time_since_epoch())
                                          .count());
}

std::optional<raw_socket> raw_socket::try_connect(const std::string& host, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1)
        give_up("--host must be an IPv4 address, not " + host);
    raw_socket made{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const int yes = 1;
    ::setsockopt(made.descriptor_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (::connect(made.descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return std::nullopt;
    return made;
}

raw_socket::raw_socket(const std::string& host, std::uint16_t port) : descriptor_(-1) {
    auto made = try_connect(host, port);
    if (!made)
        give_up(fmt::format("nobody answers at {}:{}: {}", host, port, std::strerror(errno)));
    std::swap(descriptor_, made->descriptor_);
}

raw_socket::raw_socket(raw_socket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      received_(std::move(other.received_)),
      first_(other.first_),
      last_(other.last_) {}

raw_socket::~raw_socket() {
    if (descriptor_ >= 0)
        ::close(descriptor_);
}

void raw_socket::write_all(byte_view bytes) {
    while (!bytes.empty()) {
        const auto count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count <= 0)
            give_up(std::string{"writing failed: "} + std::strerror(errno));
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
}

protocol::frame_view raw_socket::read_frame() {
    for (;;) {
        const auto found = protocol::next_frame({received_.data() + first_, last_ - first_});
        if (!found)
            give_up("the broker sent what is no frame: " + found.failure().message);
        if (*found) {
            first_ += (*found)->size;
            return **found;
        }
        std::memmove(received_.data(), received_.data() + first_, last_ - first_);
        last_ -= std::exchange(first_, 0);
        if (last_ == received_.size())
            received_.resize(received_.size() * 2);
        const auto count = ::recv(descriptor_, received_.data() + last_, received_.size() - last_, 0);
        if (count <= 0)
            give_up("the broker closed the connection");
        last_ += static_cast<std::size_t>(count);
    }
}

void create_topics(const load_options& options) {
    constexpr std::uint32_t at_a_time = 500;
    raw_socket socket{options.host, options.broker_port};
    protocol::remoting_command answer;
    byte_buffer requests;
    for (std::uint32_t made = 0; made < options.topics;) {
        requests.clear();
        const auto last = std::min(options.topics, made + at_a_time);
        for (auto topic = made; topic < last; ++topic) {
            const auto name = topic_name(options, topic);
            protocol::append_request(requests, {.opaque = static_cast<std::int32_t>(topic + 1)},
                                     protocol::update_topic_request{
                                         .topic = name,
                                         .default_topic = "TBW102",
                                         .read_queue_count = static_cast<std::int32_t>(options.queues),
                                         .write_queue_count = static_cast<std::int32_t>(options.queues)});
        }
        socket.write_all(requests.view());
        for (; made < last; ++made) {
            const auto decoded = answer.decode(socket.read_frame());
            if (!decoded || answer.response() != protocol::response_code::success)
                give_up("a topic could not be made: " + std::string{answer.remark()});
        }
    }
}

} // namespace holdfast::bench
