#include "tests/chaos/links.hpp"

#include "base/check.hpp"

#include <arpa/inet.h>
#include <chrono>
#include <netinet/tcp.h>
#include <poll.h>
#include <random>
#include <set>
#include <sys/socket.h>
#include <unistd.h>

namespace holdfast::chaos {
namespace {

constexpr int look_again_ms = 10;

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

// A bound socket and its port.
std::pair<int, std::uint16_t> bound() {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto address = loopback(0);
    socklen_t size = sizeof address;
    HOLDFAST_CHECK(socket >= 0 && ::bind(socket, reinterpret_cast<sockaddr*>(&address), size) == 0);
    HOLDFAST_CHECK(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    return {socket, ntohs(address.sin_port)};
}

bool ready(int socket, short events) {
    pollfd one{socket, events, 0};
    return ::poll(&one, 1, look_again_ms) > 0;
}

} // namespace

std::uint16_t free_port() {
    // Below the ports that outgoing connections and the proxies here get, and never the same one twice.
    static std::set<std::uint16_t> given;
    std::uniform_int_distribution<std::uint16_t> below_ephemeral{15'000, 32'000};
    std::random_device random;
    for (;;) {
        const auto port = below_ephemeral(random);
        const auto address = loopback(port);
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const bool is_free = ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
        ::close(socket);
        if (is_free && given.insert(port).second)
            return port;
    }
}

links::links(const std::array<std::uint16_t, nodes>& cluster_ports) : cluster_ports_(cluster_ports) {
    for (std::size_t from = 0; from < nodes; ++from)
        for (std::size_t to = 0; to < nodes; ++to) {
            if (from == to) {
                ports_[from][to] = cluster_ports[to];
                continue;
            }
            const auto [listener, port] = bound();
            HOLDFAST_CHECK(::listen(listener, 64) == 0);
            ports_[from][to] = port;
            accepting_.emplace_back(
                [this, listener = listener, from, to] { accept_from(listener, from, to); });
        }
}

links::~links() {
    stopping_ = true;
    for (auto& thread : accepting_)
        thread.join();
    for (auto& thread : pumping_)
        thread.join();
}

void links::heal() {
    for (auto& row : cut_)
        for (auto& one : row)
            one = false;
}

void links::accept_from(int listener, std::size_t from, std::size_t to) {
    while (!stopping_) {
        if (!ready(listener, POLLIN))
            continue;
        if (const int dialled = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC); dialled >= 0)
            join(dialled, from, to);
    }
    ::close(listener);
}

void links::join(int dialled, std::size_t from, std::size_t to) {
    const int onward = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = loopback(cluster_ports_[to]);
    const int on = 1;
    ::setsockopt(onward, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(dialled, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(onward, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        ::close(onward);
        ::close(dialled);
        return;
    }
    const std::lock_guard lock{mutex_};
    pumping_.emplace_back([this, dialled, onward, from, to] {
        std::thread back{[&] { pump(onward, dialled, to, from); }};
        pump(dialled, onward, from, to);
        back.join();
        ::close(dialled);
        ::close(onward);
    });
}

// Until one side is gone; then the other one hears of it.
void links::pump(int source, int sink, std::size_t from, std::size_t to) {
    std::array<char, 65536> chunk;
    bool open = true;
    while (open && !stopping_) {
        if (cut_[from][to]) {
            std::this_thread::sleep_for(std::chrono::milliseconds{look_again_ms});
            continue;
        }
        if (!ready(source, POLLIN))
            continue;
        const auto count = ::recv(source, chunk.data(), chunk.size(), 0);
        open = count > 0;
        if (const auto rate = bytes_per_s_[to].load(); open && rate > 0)
            std::this_thread::sleep_for(
                std::chrono::microseconds{static_cast<std::uint64_t>(count) * 1'000'000 / rate});
        for (ssize_t sent = 0; open && sent < count && !stopping_;) {
            if (!ready(sink, POLLOUT))
                continue;
            const auto more = ::send(sink, chunk.data() + sent, static_cast<std::size_t>(count - sent),
                                     MSG_NOSIGNAL | MSG_DONTWAIT);
            if (more > 0)
                sent += more;
            else if (errno != EAGAIN)
                open = false;
        }
    }
    ::shutdown(source, SHUT_RDWR);
    ::shutdown(sink, SHUT_RDWR);
}

} // namespace holdfast::chaos
