#include "client/transaction_engine.hpp"

#include "protocol/message_id.hpp"
#include "protocol/stored_message.hpp"

#include <algorithm>

namespace holdfast::client {

namespace {

// Checks come over connections that stand: one that was lost is made again this soon.
constexpr std::chrono::milliseconds reconnect_interval{1'000};

protocol::transaction_end to_wire(transaction_decision decision) {
    switch (decision) {
    case transaction_decision::commit:
        return protocol::transaction_end::commit;
    case transaction_decision::rollback:
        return protocol::transaction_end::rollback;
    case transaction_decision::unknown:
        return protocol::transaction_end::unknown;
    }
    return protocol::transaction_end::unknown;
}

result<void> send_oneway(connection& broker, const protocol::end_transaction_request& request) {
    const auto refused = broker.start_oneway(
        [&](byte_buffer& out, const protocol::call& how) { protocol::append_request(out, how, request); });
    return refused ? result<void>{error{errc::unavailable, refused->text}} : result<void>{};
}

} // namespace

transaction_producer::engine::engine(transaction_producer_options options, checker check)
    : options_(std::move(options)),
      check_(std::move(check)),
      sending_(std::make_shared<producer::engine>(options_.sending)),
      checks_(options_.max_waiting_checks,
              [this](const transaction_check& question) { answer_check(question); }) {}

result<void> transaction_producer::engine::start() {
    if (options_.checker_threads == 0 || options_.max_waiting_checks == 0 ||
        options_.first_check_after < std::chrono::seconds{0})
        return error{
            errc::invalid_argument,
            "checker_threads and max_waiting_checks must be at least 1, first_check_after at least 0"};
    if (!check_)
        return error{errc::invalid_argument, "a transaction producer needs a checker"};
    client().on_broker_request(
        [this](connection& from, const answer& request) { return broker_asks(from, request); });
    if (auto started = sending_->start(); !started)
        return started;
    checks_.start(options_.checker_threads);
    client().post([this] { find_brokers(); });
    client().every(client().options().route_interval, [this] { find_brokers(); });
    client().every(reconnect_interval, [this] { keep_connected(); });
    return {};
}

void transaction_producer::engine::shutdown() {
    sending_->drain();
    checks_.stop();
    {
        // Each of them ends, by an answer or by its timeout.
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [this] { return unconfirmed_ == 0; });
    }
    sending_->shutdown();
}

void transaction_producer::engine::send_half(message outgoing, half_callback done) {
    if (outgoing.is_delayed())
        return done(send_error{send_error_kind::invalid, 0,
                               "a transactional message can't be delayed: its commit makes it visible"});
    if (options_.first_check_after.count() != 0)
        outgoing.properties.emplace_back(protocol::property::check_immunity_time_s,
                                         std::to_string(options_.first_check_after.count()));
    std::string topic = outgoing.topic;
    sending_->send(
        std::move(outgoing), nullptr,
        [self = shared_from_this(), topic = std::move(topic), done = std::move(done)](
            const send_result& sent) mutable { self->half_answered(std::move(topic), sent, done); },
        send_as::half);
}

void transaction_producer::engine::half_answered(std::string topic, const send_result& sent,
                                                 const half_callback& done) {
    if (!sent)
        return done(sent.failure());
    const auto id = protocol::parse_message_id(sent.receipt().offset_message_id);
    if (!id)
        return done(send_error{send_error_kind::stored_but_not_confirmed, 0,
                               "the broker's message id does not say where the half message is, so it can't "
                               "be decided: " +
                                   id.failure().message});
    done(half_message{{std::move(topic), sent.receipt(), id->position}, weak_from_this()});
}

// By the broker's name, because the node that took the half message may not lead any more.
std::shared_ptr<connection> transaction_producer::engine::broker_of(const half_place& half) const {
    const route_ptr route = client().routes().find(half.topic);
    if (route == nullptr)
        return nullptr;
    for (const placed_queue& each : route->writable)
        if (each.id.broker_name == half.receipt.broker_name)
            return each.broker;
    return nullptr;
}

void transaction_producer::engine::decide(const half_place& half, transaction_decision decision,
                                          decision_callback done) {
    const auto broker = broker_of(half);
    if (broker == nullptr) {
        if (done)
            done(error{errc::unavailable,
                       "no broker " + half.receipt.broker_name + " is known any more for " + half.topic});
        return;
    }
    const protocol::end_transaction_request request{.producer_group = options_.sending.group,
                                                    .state_table_offset = half.receipt.offset,
                                                    .commit_log_offset = half.position,
                                                    .verdict = to_wire(decision),
                                                    .from_check = false,
                                                    .message_id = half.receipt.message_id,
                                                    .transaction_id = half.receipt.message_id,
                                                    .topic = half.topic,
                                                    .broker_name = half.receipt.broker_name};
    // Brokers do not answer `unknown`.
    if (done && decision != transaction_decision::unknown)
        return ask_to_decide(*broker, request, std::move(done));
    const auto sent = send_oneway(*broker, request);
    if (done)
        done(sent);
}

void transaction_producer::engine::ask_to_decide(connection& broker,
                                                 const protocol::end_transaction_request& request,
                                                 decision_callback done) {
    {
        const std::lock_guard lock{mutex_};
        ++unconfirmed_;
    }
    ask(broker, request, {}, client().options().request_timeout,
        [self = shared_from_this(), done = std::move(done)](const call_outcome& outcome) {
            done(outcome.ok() ? result<void>{} : result<void>{to_error(outcome)});
            const std::lock_guard lock{self->mutex_};
            --self->unconfirmed_;
            self->changed_.notify_all();
        });
}

bool transaction_producer::engine::broker_asks(connection& from, const answer& request) {
    if (request.command().request() != protocol::request_code::check_transaction_state)
        return false;
    if (auto taken = take_check(from, request); !taken)
        trouble({taken.failure().code, "a transaction check of " + from.peer().text() +
                                           " can't be answered: " + taken.failure().message});
    return true;
}

result<void> transaction_producer::engine::take_check(connection& from, const answer& request) {
    const auto header = protocol::decode_header<protocol::check_transaction_state_request>(request.command());
    if (!header)
        return header.failure();
    const auto record = protocol::decode_stored_message(request.command().body());
    if (!record)
        return record.failure();
    const std::string_view group = record->property(protocol::property::producer_group).value_or("");
    if (group != options_.sending.group)
        return error{errc::invalid_argument, "it is about group " + std::string{group}};
    std::string_view id = !header->transaction_id.empty() ? header->transaction_id : header->message_id;
    if (id.empty())
        id = record->property(protocol::property::unique_key).value_or("");
    const bool has_room = checks_.add({.from = from.shared_from_this(),
                                       .number = header->state_table_offset,
                                       .position = header->commit_log_offset,
                                       .transaction_id = std::string{id},
                                       .topic = std::string{record->topic},
                                       .record = request.share_body()});
    if (!has_room)
        return error{errc::unavailable,
                     std::to_string(options_.max_waiting_checks) +
                         " wait already (max_waiting_checks); it is left to the next check"};
    return {};
}

void transaction_producer::engine::answer_check(const transaction_check& check) {
    auto decision = transaction_decision::unknown;
    try {
        decision = check_(message_view{check.record.view()});
    } catch (const std::exception& thrown) {
        trouble(
            {errc::internal, "the checker threw, which counts as unknown: " + std::string{thrown.what()}});
    } catch (...) {
        trouble({errc::internal, "the checker threw, which counts as unknown"});
    }
    const auto sent = send_oneway(*check.from, {.producer_group = options_.sending.group,
                                                .state_table_offset = check.number,
                                                .commit_log_offset = check.position,
                                                .verdict = to_wire(decision),
                                                .from_check = true,
                                                .message_id = check.transaction_id,
                                                .transaction_id = check.transaction_id,
                                                .topic = check.topic,
                                                .broker_name = {}});
    if (!sent)
        trouble(sent.failure());
}

void transaction_producer::engine::find_brokers() {
    const auto question = [this](connection& server, call_handler handler) {
        ask(server, protocol::get_cluster_info_request{}, {}, client().options().request_timeout,
            std::move(handler));
    };
    client().ask_name_server(question, [this](const call_outcome& outcome) {
        if (!outcome.ok())
            return;
        const auto info = protocol::decode_cluster_info(outcome.reply->command().body());
        if (!info)
            return trouble(info.failure());
        std::vector<std::shared_ptr<connection>> masters;
        for (const auto& [name, data] : info->brokers) {
            const auto master = data.addresses.find(0);
            if (master == data.addresses.end())
                continue;
            if (auto broker = client().broker(master->second))
                masters.push_back(std::move(broker));
        }
        brokers_known_ = true;
        client().keep(std::move(masters));
        keep_connected();
    });
}

void transaction_producer::engine::keep_connected() {
    if (!brokers_known_)
        return find_brokers();
    for (const auto& broker : client().brokers())
        if (!broker->is_open())
            client().register_with(*broker);
}

void transaction_producer::engine::trouble(error what) const {
    if (options_.on_trouble)
        options_.on_trouble(what);
}

} // namespace holdfast::client
