#include "tests/simulation/cluster_story.hpp"

namespace holdfast::simulation {
namespace {

constexpr std::uint32_t most_topics = 3;
constexpr std::uint32_t queues = 2;
constexpr virtual_ms patience{60'000};

} // namespace

cluster_story::cluster_story(const cluster_settings& settings, cluster_marks& marks)
    : settings_(settings), random_(settings.seed + 2), cluster_(settings, marks), calm_(200 + pick(1'500)) {
    cluster_.when_voting([this](std::size_t voter, std::size_t candidate) {
        if (is_healed_ || cluster_.now() >= disturbed_until_ || pick(2) == 0)
            return;
        cluster_.network().cut(partition::isolated, candidate);
        cluster_.after(virtual_ms{0}, [this, voter] { cluster_.power_off(voter, pick_ms(10, 200)); });
        mend_later();
    });
    cluster_.when_committing([this](std::size_t leader) {
        if (!is_healed_ && cluster_.now() < disturbed_until_ && pick(2) == 0)
            cluster_.after(virtual_ms{0},
                           [this, leader] { cluster_.power_off(leader, pick_ms(500, 4'000)); });
    });
}

std::string cluster_story::run() {
    const auto seconds = settings_.wrong == defect::none ? 10 + pick(20) : 30 + pick(20);
    cluster_.after(pick_ms(0, 3'000), [this] { trouble_later(); });
    client_later();
    cluster_.run_until(virtual_ms{static_cast<std::int64_t>(seconds * 1'000)});
    heal();
    const auto give_up = cluster_.now() + patience;
    // A new send is answered, the wiped are members again, and all have everything.
    const auto answered_before = messages_answered_;
    while (
        cluster_.problem().empty() && cluster_.now() < give_up &&
        !(messages_answered_ > answered_before && cluster_.has_all_members() && cluster_.has_all_applied())) {
        const auto leader = cluster_.leader();
        if (leader && messages_answered_ == answered_before) {
            if (topics_ == 0)
                send_topic(*leader);
            else
                send_messages(*leader);
        }
        cluster_.run_until(cluster_.now() + virtual_ms{500});
    }
    if (cluster_.problem().empty() && cluster_.now() >= give_up)
        cluster_.report("no progress: " +
                        std::string{messages_answered_ == answered_before ? "nothing is answered"
                                                                          : "the nodes do not catch up"} +
                        cluster_.describe());
    if (cluster_.problem().empty())
        cluster_.check_everything();
    return cluster_.problem();
}

void cluster_story::heal() {
    is_healed_ = true;
    cluster_.network().mend();
    cluster_.network().set({});
    for (std::size_t node = 0; node < cluster_.size(); ++node)
        cluster_.pause(node, virtual_ms{0});
}

// --- trouble
// ------------------------------------------------------------------------------------------------

void cluster_story::trouble_later() {
    if (is_healed_)
        return;
    trouble();
    cluster_.after(pick_ms(50, calm_ * 2), [this] { trouble_later(); });
}

void cluster_story::trouble() {
    const auto leader = cluster_.leader();
    const auto victim = leader && pick(2) == 0 ? *leader : pick_node();
    switch (pick(15)) {
    case 0:
        return cluster_.power_off(victim, pick_ms(50, 4'000));
    case 1:
        return cluster_.end_process(victim, pick_ms(10, 1'000));
    case 2:
    case 3:
    case 4:
        return disk_trouble(victim);
    case 5:
    case 6:
    case 7:
        return cut_network(victim);
    case 8:
        return cluster_.pause(victim, pick_ms(100, 3'000));
    case 9:
        return change_weather();
    case 10:
        return cluster_.hand_over(victim);
    case 11:
        return cluster_.break_connection(victim, (victim + 1) % cluster_.size());
    case 12:
        return wipe(victim);
    case 13:
        return disturb_election();
    default:
        if (pick(3) == 0) // the whole room
            for (std::size_t node = 0; node < cluster_.size(); ++node)
                cluster_.power_off(node, pick_ms(50, 2'000));
        else
            cluster_.checkpoint(victim);
    }
}

void cluster_story::disk_trouble(std::size_t victim) {
    if (!settings_.sync)
        return;
    if (pick(3) == 0)
        cluster_.disk(victim).fail_sync_after(pick(20));
    else
        cluster_.disk(victim).cut_power_after(pick(40));
}

void cluster_story::cut_network(std::size_t victim) {
    cluster_.network().cut(static_cast<partition>(pick(partitions)), victim);
    if (pick(2) == 0)
        cluster_.break_cut_connections();
    mend_later();
}

// Voters lose their power as soon as they have voted, and the node that they voted for reaches nobody; or it
// loses its own with the first thing it commits.
void cluster_story::disturb_election() {
    disturbed_until_ = cluster_.now() + pick_ms(1'000, 10'000);
    if (const auto leader = cluster_.leader())
        cluster_.end_process(*leader, pick_ms(10, 3'000));
}

void cluster_story::mend_later() {
    const auto number = ++cut_number_;
    cluster_.after(pick_ms(100, 6'000), [this, number] {
        if (cut_number_ == number) // or a later cut ends them all
            cluster_.network().mend();
    });
}

void cluster_story::change_weather() {
    network_weather weather;
    weather.lost = static_cast<std::uint32_t>(pick(3) == 0 ? pick(300) : 0);
    weather.repeated = static_cast<std::uint32_t>(pick(3) == 0 ? pick(200) : 0);
    weather.slow = static_cast<std::uint32_t>(pick(2) == 0 ? pick(400) : 0);
    weather.late = static_cast<std::uint32_t>(pick(2) == 0 ? pick(50) : 0);
    cluster_.network().set(weather);
}

// One after the other: more than a group can promise otherwise. It is worst when the leader goes too, and who
// remains was cut off: the wiped node must not vote as what it was.
void cluster_story::wipe(std::size_t victim) {
    if (!cluster_.has_all_members())
        return;
    const auto leader = cluster_.leader();
    if (!leader || *leader == victim || pick(2) == 0)
        return cluster_.wipe(victim, pick_ms(50, 1'500));
    for (std::size_t node = 0; node < cluster_.size(); ++node)
        if (node != victim && node != *leader && pick(3) != 0)
            cluster_.network().cut(partition::isolated, node);
    cluster_.after(pick_ms(100, 900), [this, victim, leader = *leader] {
        if (is_healed_ || !cluster_.has_all_members())
            return;
        cluster_.wipe(victim, pick_ms(10, 100));
        cluster_.power_off(leader, pick_ms(2'000, 6'000));
        cluster_.network().mend();
    });
    mend_later();
}

// --- clients
// ------------------------------------------------------------------------------------------------

void cluster_story::client_later() {
    if (is_healed_)
        return;
    client();
    cluster_.after(pick_ms(5, 80), [this] { client_later(); });
}

void cluster_story::client() {
    // Also to one that leads no more and does not know it, or never did.
    const auto leader = cluster_.leader();
    const auto to = leader && pick(4) != 0 ? *leader : pick_node();
    const auto what = pick(12);
    if (what == 0)
        cluster_.idle(to);
    else if (topics_ == 0 || (what == 1 && topics_ < most_topics))
        send_topic(to);
    else if (what == 2)
        send_commit(to);
    else if (what == 3)
        cluster_.checkpoint(pick_node());
    else
        send_messages(to);
}

// Topics get their ids in the order in which they are made, so number n has id n + 1.
void cluster_story::send_topic(std::size_t to) {
    const auto number = topics_;
    broker::topic_config config;
    config.name = std::to_string(number);
    broker::entry_draft draft;
    draft.add(broker::command_kind::topic_create, broker::encode(config));
    cluster_.send(to, std::move(draft), [this, number](const auto* batch) {
        if (batch == nullptr)
            return;
        cluster_.report(cluster_.checker().topic_answered(std::to_string(number)));
        topics_ = std::max(topics_, number + 1);
    });
}

queue_key cluster_story::some_queue() {
    return {topic_id{1 + static_cast<std::uint32_t>(pick(topics_))},
            queue_number{static_cast<std::uint32_t>(pick(queues))}};
}

void cluster_story::send_commit(std::size_t to) {
    const auto queue = some_queue();
    auto& next = commits_sent_[queue];
    next += 1 + static_cast<std::int64_t>(pick(3));
    broker::entry_draft draft;
    draft.add(broker::command_kind::offsets_commit,
              broker::encode(std::vector<broker::offset_commit>{
                  {durability_checker::group, queue, queue_offset{next}}}));
    cluster_.send(to, std::move(draft), [this, queue, committed = queue_offset{next}](const auto* batch) {
        if (batch != nullptr)
            cluster_.report(cluster_.checker().commit_answered(queue, committed));
    });
}

void cluster_story::send_messages(std::size_t to) {
    broker::entry_draft draft;
    std::vector<drafted_message> messages;
    const auto largest = pick(5) == 0 ? 3'000U : 300U;
    for (auto count = 1 + pick(3); count > 0; --count) {
        const auto size = pick(largest);
        const drafted_message message{next_name_++, some_queue(), draft.next_payload()};
        write_record(draft.add_message(message.queue, 0, record_size(size)), message.name, message.queue,
                     size);
        messages.push_back(message);
    }
    cluster_.send(to, std::move(draft), [this, messages = std::move(messages)](const auto* batch) {
        cluster_.report(cluster_.checker().answered(messages, batch));
        ++messages_answered_;
    });
}

} // namespace holdfast::simulation
