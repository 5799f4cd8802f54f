// A network for three nodes and their clients that only this process and its children see: network namespaces
// with a router between them, each with a wire of its own to it.
//
//     clients (this process) --- router --- a, b, c
//
// What one place says to another is cut in the router, for one direction alone: the packets vanish there, as
// in a broken switch. Attempts to connect hear nothing, acknowledgements are lost, and after healing the
// kernel's retransmission timers decide when a connection goes on.
#pragma once

#include "tests/chaos/links.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::chaos {

class private_network {
  public:
    // The place of this process, besides those of the nodes.
    static constexpr std::size_t clients = nodes;

    // Moves this process into it, for good; before it has a second thread. Nothing, and `why_not`, where the
    // kernel does not allow it (in most containers), or has no ip command.
    static std::unique_ptr<private_network> make(std::string& why_not);
    // The same; when there is none it says loudly that partitions are only stalled proxies (links.hpp).
    static std::unique_ptr<private_network> make_or_complain();

    private_network(const private_network&) = delete;
    private_network& operator=(const private_network&) = delete;
    ~private_network();

    [[nodiscard]] static std::string address(std::size_t place);
    // The words before a command that is to run at a node's place.
    [[nodiscard]] std::vector<std::string> command_at(std::size_t node) const;

    // What `from` sends does not reach `to`.
    void cut(std::size_t from, std::size_t to);
    // Nothing is cut any more.
    void heal();

  private:
    private_network() = default;
    [[nodiscard]] std::string build();

    static constexpr std::size_t places = nodes + 1;
    std::array<int, places + 1> namespaces_{-1, -1, -1, -1, -1}; // of the places, and the router's
    std::vector<std::pair<std::size_t, std::size_t>> cut_;
};

} // namespace holdfast::chaos
