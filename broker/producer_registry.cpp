#include "broker/producer_registry.hpp"

#include <utility>

namespace holdfast::broker {

producer_registry::reception producer_registry::heard(std::string_view group, producer_client client,
                                                      time_point now) {
    auto found = groups_.find(group);
    const auto who = client.connection;
    const bool is_known = found != groups_.end() && found->second.clients.contains(who);
    if (!is_known && registrations_ >= limits_.most_registrations)
        return reception::refused;
    const bool is_first = found == groups_.end();
    if (is_first)
        found = groups_.try_emplace(std::string{group}).first;
    found->second.clients.insert_or_assign(who, registration{std::move(client), now});
    if (!is_known) {
        ++registrations_;
        groups_by_connection_[who].emplace(group);
    }
    return is_first ? reception::first : reception::known;
}

void producer_registry::left(std::string_view group, connection_id who) {
    const auto found = groups_.find(group);
    if (found != groups_.end() && found->second.clients.contains(who))
        remove(found, who);
}

void producer_registry::closed(connection_id who) {
    const auto found = groups_by_connection_.find(who);
    if (found == groups_by_connection_.end())
        return;
    const auto names = found->second;
    for (const auto& name : names)
        remove(groups_.find(name), who);
}

void producer_registry::remove(group_map::iterator group, connection_id who) {
    const auto of_connection = groups_by_connection_.find(who);
    of_connection->second.erase(group->first);
    if (of_connection->second.empty())
        groups_by_connection_.erase(of_connection);
    group->second.clients.erase(who);
    --registrations_;
    if (group->second.clients.empty())
        groups_.erase(group);
}

void producer_registry::expire(group_map::iterator group, time_point now) {
    std::vector<connection_id> silent;
    for (const auto& [who, known] : group->second.clients)
        if (now - known.heard > limits_.silence)
            silent.push_back(who);
    for (const auto who : silent)
        remove(group, who);
}

void producer_registry::expire(time_point now) {
    for (auto group = groups_.begin(); group != groups_.end();)
        expire(group++, now);
}

std::optional<connection_id> producer_registry::next(std::string_view name, time_point now) {
    for (auto group = groups_.find(name); group != groups_.end(); group = groups_.find(name)) {
        auto& [clients, last] = group->second;
        auto chosen = clients.upper_bound(last);
        if (chosen == clients.end())
            chosen = clients.begin();
        last = chosen->first;
        if (now - chosen->second.heard <= limits_.silence)
            return chosen->first;
        remove(group, chosen->first);
    }
    return std::nullopt;
}

std::size_t producer_registry::size_of(std::string_view group) const {
    const auto found = groups_.find(group);
    return found == groups_.end() ? 0 : found->second.clients.size();
}

std::vector<producer_registry::registration> producer_registry::clients_of(std::string_view group) const {
    std::vector<registration> clients;
    if (const auto found = groups_.find(group); found != groups_.end())
        for (const auto& [who, known] : found->second.clients)
            clients.push_back(known);
    return clients;
}

std::vector<std::string> producer_registry::groups() const {
    std::vector<std::string> names;
    for (const auto& [name, group] : groups_)
        names.push_back(name);
    return names;
}

} // namespace holdfast::broker
