#include "tests/chaos/private_network.hpp"

#include "base/check.hpp"
#include "tests/support/own_namespaces.hpp"

#include <algorithm>
#include <cstdio>
#include <fcntl.h>
#include <sched.h>
#include <thread>
#include <unistd.h>

namespace holdfast::chaos {
namespace {

using testing::run_script;

int present_network() {
    return ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

// A new one, in which nobody is yet; -1 when the kernel refuses.
int new_network() {
    int made = -1;
    std::thread{[&made] {
        if (::unshare(CLONE_NEWNET) == 0)
            made = present_network();
    }}.join();
    return made;
}

std::string path_of(int descriptor) {
    return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(descriptor);
}

// Addresses for measurements between networks (RFC 2544): nobody's own.
std::string wire_of(std::size_t place) {
    return "198.18." + std::to_string(place + 1);
}

// The router's rule for one direction.
std::string rule(const char* verb, std::size_t from, std::size_t to) {
    return std::string{"ip rule "} + verb + " from " + private_network::address(from) + " to " +
           private_network::address(to) + " pref " + std::to_string(100 + from * 10 + to) + " blackhole";
}

} // namespace

std::unique_ptr<private_network> private_network::make(std::string& why_not) {
    std::unique_ptr<private_network> made{new private_network};
    why_not = testing::enter_own_namespaces(CLONE_NEWNET);
    if (why_not.empty())
        why_not = made->build();
    return why_not.empty() ? std::move(made) : nullptr;
}

std::unique_ptr<private_network> private_network::make_or_complain() {
    std::string why_not;
    auto made = make(why_not);
    if (!made) {
        std::printf("WARNING: no network namespaces here (%s).\nWARNING: partitions only stall proxies on "
                    "loopback, and clients are not cut off: a weaker test than elsewhere.\n",
                    why_not.c_str());
        std::fflush(stdout);
    }
    return made;
}

private_network::~private_network() {
    for (const int each : namespaces_)
        if (each >= 0)
            ::close(each);
}

std::string private_network::address(std::size_t place) {
    return wire_of(place) + ".2";
}

std::string private_network::build() {
    const auto router = places;
    for (std::size_t i = 0; i < namespaces_.size(); ++i)
        namespaces_[i] = i == clients ? present_network() : new_network();
    if (std::find(namespaces_.begin(), namespaces_.end(), -1) != namespaces_.end())
        return "the kernel makes no network namespace";
    auto problem = run_script("echo 1 > /proc/sys/net/ipv4/ip_forward", namespaces_[router]);
    for (std::size_t place = 0; place < places && problem.empty(); ++place) {
        const auto wire = "wire" + std::to_string(place);
        const auto network = wire_of(place);
        problem = run_script("ip link add " + wire + " type veth peer name eth0 netns " +
                                 path_of(namespaces_[place]) + "; ip addr add " + network + ".1/24 dev " +
                                 wire + "; ip link set " + wire + " up",
                             namespaces_[router]);
        if (problem.empty())
            problem = run_script("ip link set lo up; ip addr add " + network +
                                     ".2/24 dev eth0; ip link set eth0 up; ip route add default via " +
                                     network + ".1",
                                 namespaces_[place]);
    }
    return problem;
}

std::vector<std::string> private_network::command_at(std::size_t node) const {
    return {"nsenter", "--net=" + path_of(namespaces_[node])};
}

void private_network::cut(std::size_t from, std::size_t to) {
    if (std::find(cut_.begin(), cut_.end(), std::pair{from, to}) != cut_.end())
        return;
    const auto problem = run_script(rule("add", from, to), namespaces_[places]);
    HOLDFAST_CHECK(problem.empty());
    cut_.emplace_back(from, to);
}

void private_network::heal() {
    for (const auto& [from, to] : cut_) {
        const auto problem = run_script(rule("del", from, to), namespaces_[places]);
        HOLDFAST_CHECK(problem.empty());
    }
    cut_.clear();
}

} // namespace holdfast::chaos
