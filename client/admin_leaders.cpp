// admin::engine: who leads which broker, and who does when that one is gone.
#include "client/admin_engine.hpp"
#include "client/retry_policy.hpp"

namespace holdfast::client {

namespace {

// With their pauses some 2.5 s: a group has a new leader by then, or has none for long.
constexpr unsigned most_repetitions = 6;

} // namespace

result<std::vector<leader>> admin::engine::leaders_now() {
    using info = protocol::cluster_info;
    const auto cluster = ask_name_server<info>(
        protocol::get_cluster_info_request{}, [](const call_outcome& outcome) -> result<info> {
            if (!outcome.ok())
                return to_error(outcome);
            return protocol::decode_cluster_info(outcome.reply->command().body());
        });
    if (!cluster)
        return cluster.failure();
    std::vector<leader> found;
    std::vector<std::shared_ptr<connection>> nodes;
    for (const auto& [name, broker] : cluster->brokers) {
        const auto first = broker.addresses.find(0);
        if (first == broker.addresses.end())
            continue;
        auto node = client.broker(first->second);
        if (node == nullptr)
            return error{errc::malformed,
                         "the name server gives broker " + name + " the address '" + first->second + "'"};
        nodes.push_back(node);
        found.push_back({name, std::move(node)});
    }
    // A leader that takes long to answer is not taken for one that was replaced.
    client.keep(std::move(nodes));
    return found;
}

result<std::vector<leader>> admin::engine::leaders() {
    for (unsigned tries = 0;; ++tries) {
        auto found = leaders_now();
        if (!found || !found->empty())
            return found;
        if (tries == most_repetitions)
            return error{errc::unavailable, "the cluster has no broker that takes writes now"};
        wait(leader_search_pause(tries));
    }
}

// Answers that come late leave less time for another try.
std::chrono::steady_clock::time_point admin::engine::deadline_for_repeats() const {
    return std::chrono::steady_clock::now() + client.options().request_timeout + std::chrono::seconds{3};
}

bool admin::engine::find_next_leader(leader& whom, unsigned tries_before,
                                     std::chrono::steady_clock::time_point deadline) {
    const auto pause = leader_search_pause(tries_before);
    if (tries_before == most_repetitions || std::chrono::steady_clock::now() + pause >= deadline)
        return false;
    wait(pause);
    const auto found = leaders_now();
    // Also when nobody says who leads: who was asked last may be back.
    if (!found)
        return true;
    for (const leader& each : *found)
        if (each.broker_name == whom.broker_name || (whom.broker_name.empty() && found->size() == 1))
            whom.node = each.node;
    return true;
}

void admin::engine::wait(std::chrono::milliseconds pause) {
    std::promise<void> over;
    client.after(pause, [&] { over.set_value(); });
    over.get_future().wait();
}

} // namespace holdfast::client
