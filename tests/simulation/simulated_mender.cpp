#include "tests/simulation/simulated_mender.hpp"

#include <algorithm>

namespace holdfast::simulation {
namespace {

constexpr broker::steady_ms rest{2'000};

broker::repair_settings settings_for(const std::vector<std::string>& peers) {
    broker::repair_settings settings;
    settings.peers = peers;
    settings.patience = broker::steady_ms{20'000};
    settings.most_kept = 4'000; // so that long places are mended in stretches
    return settings;
}

} // namespace

simulated_mender::simulated_mender(storage::log_store& log, const std::vector<std::string>& peers,
                                   send_action send)
    : segments_(log.segments()),
      reader_(log.reader()),
      send_(std::move(send)),
      repair_(segments_, settings_for(peers)) {}

simulated_mender::simulated_mender(std::unique_ptr<opened_log> own, const std::vector<std::string>& peers,
                                   send_action send)
    : own_(std::move(own)),
      segments_(*own_->segments),
      reader_(own_->reader),
      send_(std::move(send)),
      repair_(segments_, settings_for(peers)) {}

result<std::unique_ptr<simulated_mender>>
simulated_mender::instead_of_a_node(storage::file_system& files, const node_settings& settings,
                                    const derived_copy& derived, send_action send, broker::steady_ms now) {
    auto segments = storage::segment_set::open(files, settings.store / "commitlog",
                                               {settings.segment_size, settings.writes});
    if (!segments.ok())
        return segments.failure();
    std::unique_ptr<opened_log> own{new opened_log{*std::move(segments)}};
    const auto end = own->segments->allocated_until();
    own->segments->set_written(end);
    std::unique_ptr<simulated_mender> self{
        new simulated_mender{std::move(own), settings.peers, std::move(send)}};
    self->carry_out(self->repair_.begin({{self->segments_.first(), end, derived.log_durable}, end}, now),
                    now);
    return self;
}

void simulated_mender::rot(log_position position, log_position settled, broker::steady_ms now) {
    if (repair_.is_active() || now < rests_until_)
        return;
    const auto around = segments_.find(position);
    const log_position limit{align_down(settled.value(), storage::block_size)};
    if (!around || position >= limit)
        return;
    mended_ = 0;
    carry_out(repair_.begin({{around->first(), std::min(around->last(), limit), limit}, limit}, now), now);
}

void simulated_mender::received(const std::string& from, const std::string& head, const shared_bytes& body,
                                broker::steady_ms now) {
    const auto message = broker::decode_log_bytes_message(head, body);
    HOLDFAST_CHECK(message.ok());
    if (const auto* const answer = std::get_if<broker::log_bytes_answer>(&*message))
        return carry_out(repair_.answered(from, *answer, body.view(), now), now);
    const auto has =
        broker::find_log_bytes(reader_, segments_, std::get<broker::log_bytes_request>(*message));
    std::vector<std::byte> bytes;
    for (const auto& slice : has.bytes)
        bytes.insert(bytes.end(), slice.view().begin(), slice.view().end());
    outcomes_.given += bytes.size();
    static_cast<void>(send_(from, broker::encode_head(has.answer), std::move(bytes)));
}

void simulated_mender::carry_out(broker::repair_effects effects, broker::steady_ms now) {
    for (;;) {
        mended_ += effects.done.size();
        outcomes_.mended += effects.done.size();
        if (effects.end) {
            if (effects.end->result != broker::repair_result::sound || mended_ == 0)
                rests_until_ = now + rest;
            outcomes_.end = std::move(effects.end);
        }
        if (!effects.ask || send_(effects.ask->to, broker::encode_head(effects.ask->what), {}))
            return;
        effects = repair_.not_sent(now);
    }
}

} // namespace holdfast::simulation
