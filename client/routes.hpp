// Which queues a topic has and where they live (protocol reference 3.1), as this client knows it now.
//
// `known_route` is what one answer of the name server says, ready for use; it is replaced as a whole and
// never changed. `route_table` keeps the newest per topic and hands it to any thread.
#pragma once

#include "client/connection.hpp"
#include "client/message.hpp"
#include "protocol/route.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace holdfast::client {

struct placed_queue {
    message_queue id;
    std::shared_ptr<connection> broker; // the one with broker id 0; for reading, the lowest id there is
};

struct known_route {
    std::vector<placed_queue> writable;         // sorted by broker and queue
    std::vector<placed_queue> readable;         // sorted
    std::vector<message_queue> writable_queues; // the ids of `writable`, for selectors
    protocol::topic_route source;
    // Made from TBW102's route for a topic that does not exist yet (protocol reference 6.2).
    bool provisional = false;
    mutable std::atomic<bool> replacing{false}; // the real one is asked for already
    // Round robin over `writable`.
    mutable std::atomic<std::uint32_t> next{0};
};
using route_ptr = std::shared_ptr<const known_route>;

// Resolves a broker's address to the client's one connection to it; null when the address makes no sense.
using broker_lookup = std::function<std::shared_ptr<connection>(const std::string& address)>;

[[nodiscard]] route_ptr make_route(std::string_view topic, protocol::topic_route source,
                                   const broker_lookup& lookup);
// The route for the first message of `topic`: TBW102's, clamped to `queues`.
[[nodiscard]] route_ptr make_provisional_route(std::string_view topic, protocol::topic_route source,
                                               std::int32_t queues, const broker_lookup& lookup);

// The node of a broker with that id, 0 being the leader; null when the route names none.
[[nodiscard]] std::shared_ptr<connection> node_of(const known_route& route, std::string_view broker_name,
                                                  std::int64_t id, const broker_lookup& lookup);

class route_table {
  public:
    // Null when not known.
    [[nodiscard]] route_ptr find(std::string_view topic) const;
    void put(std::string_view topic, route_ptr route);
    void forget(const std::string& topic);
    [[nodiscard]] std::vector<std::string> topics() const;
    [[nodiscard]] std::vector<route_ptr> all() const;

  private:
    struct text_hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    mutable std::mutex mutex_;
    std::unordered_map<std::string, route_ptr, text_hash, std::equal_to<>> routes_;
};

} // namespace holdfast::client
