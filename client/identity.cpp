#include "client/identity.hpp"

#include "protocol/host.hpp"

#include <arpa/inet.h>
#include <atomic>
#include <chrono>
#include <ifaddrs.h>
#include <memory>
#include <net/if.h>
#include <netinet/in.h>
#include <random>
#include <unistd.h>

namespace holdfast::client {

std::uint32_t local_ipv4_address() {
    constexpr std::uint32_t loopback = 0x7F000001;
    ifaddrs* first = nullptr;
    if (::getifaddrs(&first) != 0)
        return loopback;
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner{first, ::freeifaddrs};
    for (const ifaddrs* at = first; at != nullptr; at = at->ifa_next) {
        if (at->ifa_addr == nullptr || at->ifa_addr->sa_family != AF_INET ||
            (at->ifa_flags & IFF_LOOPBACK) != 0)
            continue;
        return ntohl(reinterpret_cast<const sockaddr_in*>(at->ifa_addr)->sin_addr.s_addr);
    }
    return loopback;
}

std::string make_client_id(std::uint32_t ipv4_address) {
    static std::atomic<std::uint32_t> number{0};
    const std::string host = protocol::to_string(protocol::ipv4_host{ipv4_address, 0});
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    const auto time = std::chrono::duration_cast<std::chrono::microseconds>(since).count();
    return host.substr(0, host.find(':')) + "@" + std::to_string(::getpid()) + "#" + std::to_string(time) +
           "#" + std::to_string(++number);
}

std::uint32_t random_salt() {
    return std::random_device{}();
}

} // namespace holdfast::client
