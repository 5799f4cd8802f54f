// The live producers of every group, with their connections: whom the transaction coordinator may ask, and
// what mqadmin shows. Sessions register here on their own threads; any thread may look.
#pragma once

#include "actors/limits.hpp"
#include "broker/producer_registry.hpp"
#include "network/connection.hpp"

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace holdfast::actors {

class producer_connections {
  public:
    using reception = broker::producer_registry::reception;
    using registration = broker::producer_registry::registration;
    using time_point = broker::producer_registry::time_point;

    struct producer {
        std::shared_ptr<network::connection> connection;
        std::string client_id;
        protocol::language language{};
        std::int32_t version = 0;
    };

    // A heartbeat for the group. `first`: tell the transaction coordinator, which may wait for somebody.
    reception heard(std::string_view group, const producer& who, time_point now) {
        const std::lock_guard lock{mutex_};
        const auto received = registry_.heard(
            group,
            {who.connection->id(), who.client_id, who.connection->peer().text, who.language, who.version},
            now);
        if (received != reception::refused)
            connections_.insert_or_assign(who.connection->id(), who.connection);
        return received;
    }
    void left(std::string_view group, connection_id who) {
        const std::lock_guard lock{mutex_};
        registry_.left(group, who);
    }
    void closed(connection_id who) {
        const std::lock_guard lock{mutex_};
        registry_.closed(who);
        connections_.erase(who);
    }
    void expire(time_point now) {
        const std::lock_guard lock{mutex_};
        registry_.expire(now);
    }

    // Whose turn it is in the group, passing over those that `is_free` refuses. `present` says whether there
    // was anybody at all.
    template <class Predicate>
    std::shared_ptr<network::connection> choose(std::string_view group, time_point now, Predicate is_free,
                                                bool& present) {
        const std::lock_guard lock{mutex_};
        present = false;
        for (auto tries = std::min(registry_.size_of(group), limits::producers_tried); tries > 0; --tries) {
            const auto who = registry_.next(group, now);
            if (!who)
                break;
            present = true;
            auto connection = connections_.at(*who).lock();
            if (connection && is_free(*connection))
                return connection;
        }
        return nullptr;
    }

    [[nodiscard]] std::vector<registration> clients_of(std::string_view group) const {
        const std::lock_guard lock{mutex_};
        return registry_.clients_of(group);
    }
    [[nodiscard]] std::vector<std::string> groups() const {
        const std::lock_guard lock{mutex_};
        return registry_.groups();
    }

  private:
    mutable std::mutex mutex_;
    broker::producer_registry registry_{{limits::max_producer_registrations, limits::member_expiry}};
    std::unordered_map<connection_id, std::weak_ptr<network::connection>> connections_; // until they close
};

} // namespace holdfast::actors
