#include "tests/simulation/cluster_story.hpp"

namespace holdfast::simulation {
namespace {

constexpr virtual_ms patience{60'000};

} // namespace

cluster_story::cluster_story(const cluster_settings& settings, cluster_marks& marks)
    : settings_(settings),
      random_(settings.seed + 2),
      cluster_(settings, marks),
      clients_(cluster_, settings.seed + 3, settings.is_canary),
      calm_(200 + pick(1'500)),
      keeps_all_(pick(3) == 0) {
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
    const auto seconds = !settings_.is_canary ? 10 + pick(20) : 30 + pick(20);
    cluster_.after(pick_ms(0, 3'000), [this] { trouble_later(); });
    client_later();
    deliver_later();
    cluster_.run_until(virtual_ms{static_cast<std::int64_t>(seconds * 1'000)});
    heal();
    const auto give_up = cluster_.now() + patience;
    // A new send is answered, the wiped are members again, and all have everything.
    const auto answered_before = clients_.messages_answered();
    const auto works = [&] {
        return clients_.messages_answered() > answered_before && cluster_.checker().delayed() == 0 &&
               cluster_.has_all_members() && cluster_.has_all_applied();
    };
    for (int i = 0; cluster_.problem().empty() && cluster_.now() < give_up && !works(); ++i) {
        const auto leader = cluster_.leader();
        // A node that is fed is done with an entry behind all it needs.
        if (leader && (clients_.messages_answered() == answered_before || i % 8 == 7))
            clients_.try_out(*leader);
        cluster_.run_until(cluster_.now() + virtual_ms{500});
    }
    if (cluster_.problem().empty() && cluster_.now() >= give_up)
        cluster_.report("no progress: " +
                        std::string{clients_.messages_answered() == answered_before
                                        ? "nothing is answered"
                                        : "the nodes do not catch up"} +
                        clients_.delays_in_words() + cluster_.describe());
    if (cluster_.problem().empty())
        cluster_.check_everything();
    return cluster_.problem();
}

void cluster_story::heal() {
    is_healed_ = true;
    cluster_.network().mend();
    cluster_.network().set({});
    cluster_.repair_disks();
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
    switch (pick(17)) {
    case 0:
        return cluster_.power_off(victim, pick_ms(50, pick(3) == 0 ? 12'000 : 4'000));
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
    case 15:
        return wipe(victim);
    case 13:
        return disturb_election();
    case 14:
        return set_clock(victim);
    default:
        if (pick(3) == 0) // the whole room
            for (std::size_t node = 0; node < cluster_.size(); ++node)
                cluster_.power_off(node, pick_ms(50, 2'000));
        else
            cluster_.checkpoint(victim);
    }
}

// A second, a minute, half a day: ahead or back.
void cluster_story::set_clock(std::size_t victim) {
    constexpr std::int64_t largest[]{1'000, 60'000, 43'200'000};
    const std::chrono::milliseconds by{static_cast<std::int64_t>(pick(largest[pick(3)]))};
    cluster_.jump_clock(victim, pick(2) == 0 ? by : -by);
}

void cluster_story::disk_trouble(std::size_t victim) {
    if (pick(8) == 0)
        return cluster_.run_short(victim, pick_ms(500, 8'000));
    if (pick(4) == 0)
        return cluster_.fill_disk(victim, pick(20'000), pick_ms(500, 8'000));
    if (!settings_.sync)
        return;
    if (pick(6) == 0)
        return cluster_.spoil_reads(victim, pick_ms(500, 8'000));
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
    if (!cluster_.may_lose_disk_of(victim))
        return;
    if (pick(2) == 0)
        return pick(2) == 0 ? cluster_.rot(victim, pick_ms(50, 1'500)) : cluster_.rot_in_use(victim);
    const auto leader = cluster_.leader();
    if (!leader || *leader == victim || pick(2) == 0)
        return cluster_.wipe(victim, pick_ms(50, 1'500));
    for (std::size_t node = 0; node < cluster_.size(); ++node)
        if (node != victim && node != *leader && pick(3) != 0)
            cluster_.network().cut(partition::isolated, node);
    cluster_.after(pick_ms(100, 900), [this, victim, leader = *leader] {
        if (is_healed_ || !cluster_.may_lose_disk_of(victim))
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
    clients_.act();
    if (pick(3) == 0)
        clients_.ask();
    if (pick(keeps_all_ ? 10'000 : 40) == 0)
        if (const auto leader = cluster_.leader())
            cluster_.trim(*leader);
    cluster_.after(pick_ms(5, 80), [this] { client_later(); });
}

void cluster_story::deliver_later() {
    clients_.deliver();
    cluster_.after(pick_ms(10, 100), [this] { deliver_later(); });
}

} // namespace holdfast::simulation
