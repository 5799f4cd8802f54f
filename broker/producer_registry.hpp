// Which connections speak for which producer group: those that the broker may ask about transactions
// (protocol reference 3.5, 4.1; traps T15, T16).
//
// A connection is registered by its heartbeats, for each group that they name, and is out with its
// unregistration, with its end, or when it has been silent for too long. Plain: the owner says what time it
// is.
#pragma once

#include "base/ids.hpp"
#include "protocol/codes.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace holdfast::broker {

struct producer_client {
    connection_id connection;
    std::string client_id;
    std::string address; // "ip:port"
    protocol::language language{};
    std::int32_t version = 0;
};

class producer_registry {
  public:
    using time_point = std::chrono::steady_clock::time_point;

    struct limits {
        std::size_t most_registrations = 100'000; // a connection counts once for each of its groups
        std::chrono::seconds silence{120};        // protocol reference 6.13
    };
    struct registration {
        producer_client client;
        time_point heard;
    };
    enum class reception : std::uint8_t {
        refused, // there are too many
        known,   // the group had a connection already
        first,   // it had none
    };

    explicit producer_registry(limits bounds) : limits_(bounds) {}

    reception heard(std::string_view group, producer_client client, time_point now);
    void left(std::string_view group, connection_id who);
    void closed(connection_id who);
    void expire(time_point now);

    // Whose turn it is to be asked; nothing when nobody of the group is there. Silent ones are put out first.
    [[nodiscard]] std::optional<connection_id> next(std::string_view group, time_point now);
    [[nodiscard]] std::size_t size_of(std::string_view group) const;

    // In no particular order.
    [[nodiscard]] std::vector<registration> clients_of(std::string_view group) const;
    [[nodiscard]] std::vector<std::string> groups() const;

  private:
    struct producer_group {
        std::map<connection_id, registration> clients;
        connection_id last; // who was asked last
    };
    using group_map = std::map<std::string, producer_group, std::less<>>;

    void expire(group_map::iterator group, time_point now);
    // Also the group when that was its last one.
    void remove(group_map::iterator group, connection_id who);

    const limits limits_;
    group_map groups_;
    std::unordered_map<connection_id, std::set<std::string, std::less<>>> groups_by_connection_;
    std::size_t registrations_ = 0;
};

} // namespace holdfast::broker
