#include "client/consumer_engine.hpp"

#include "client/consumer_sink.hpp"

#include "protocol/names.hpp"

#include <algorithm>
#include <future>

namespace holdfast::client {

push_consumer::engine::engine(push_consumer_options options)
    : options_(std::move(options)), runtime_(options_.client) {}

result<void> push_consumer::engine::check_options() const {
    if (auto good = protocol::check_group_name(options_.group); !good)
        return error{good.failure().code, "consumer group: " + good.failure().message};
    if (options_.listener_threads == 0 || options_.listener_batch_messages == 0 ||
        options_.pull_batch_messages <= 0 || options_.pull_batch_bytes == 0)
        return error{errc::invalid_argument, "listener_threads, listener_batch_messages, pull_batch_messages "
                                             "and pull_batch_bytes must be at least 1"};
    if (options_.max_reconsume_times < -1)
        return error{errc::invalid_argument, "max_reconsume_times must be 0 or more, or -1"};
    if (options_.lock_interval.count() <= 0 || options_.lock_trust <= options_.lock_interval)
        return error{errc::invalid_argument,
                     "lock_trust must be longer than lock_interval, or locks of ordered "
                     "consumption would come and go"};
    const std::lock_guard lock{mutex_};
    if (state_ != state::made)
        return error{errc::invalid_argument, "the consumer was started before"};
    return {};
}

result<void> push_consumer::engine::subscribe(std::string_view topic, std::string_view expression) {
    if (auto good = protocol::check_topic_name(topic); !good)
        return good;
    auto filter = protocol::tag_filter::parse(expression);
    if (!filter)
        return filter.failure();
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    auto wanted = std::make_shared<subscription>();
    wanted->topic = topic;
    wanted->expression = filter->selects_all() ? "*" : std::string{expression};
    wanted->filter = std::move(*filter);
    wanted->version = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();

    const std::lock_guard lock{mutex_};
    if (state_ == state::stopped)
        return error{errc::unavailable, "the consumer is shut down"};
    subscriptions_.insert_or_assign(wanted->topic, wanted);
    if (state_ == state::running)
        runtime_.post([self = shared_from_this(), name = wanted->topic] { self->add_topic(name); });
    return {};
}

result<void> push_consumer::engine::start(work_pool::listener listener) {
    if (auto good = check_options(); !good)
        return good;
    if (options_.model == message_model::broadcasting) {
        auto file = offset_file::open(options_.offset_directory, options_.group);
        if (!file)
            return file.failure();
        file_.emplace(std::move(*file));
        local_offsets_ = file_->loaded();
    } else if (auto retries = subscribe(protocol::retry_topic_of(options_.group), "*"); !retries) {
        return retries;
    }
    sink_ = std::make_shared<sink>(weak_from_this());
    pool_.emplace(options_.listener_batch_messages, std::move(listener));
    context_.emplace(puller_context{
        .options = options_,
        .client = runtime_,
        .deliver = [this](std::shared_ptr<pulled_batch> batch) { deliver(std::move(batch)); },
        .feed = [this](process_queue& queue) { feed(queue); },
        .sink = sink_,
        .trouble = [this](error what) { trouble(std::move(what)); },
        .leader_lost = [this](const std::string& topic) { leader_lost(topic); },
        .anyone_paused = anyone_paused_,
        .local_offset = [this](const message_queue& queue) -> std::optional<queue_offset> {
            const auto found = local_offsets_.find(queue);
            return found == local_offsets_.end() ? std::nullopt : std::optional{found->second};
        },
        .store_offset = [this](const placed_queue& place,
                               queue_offset offset) { store_offset(place, offset); },
    });
    runtime_.on_heartbeat([this] { return heartbeat_body(); });
    runtime_.on_broker_request([this](connection&, const answer& request) { return broker_asks(request); });
    runtime_.on_route_changed([this](const std::string& topic) { route_changed(topic); });
    // Not only pulls that failed say so: there are none while the listener is busy.
    runtime_.on_broker_lost([this](connection& broker) { broker_lost(broker); });
    if (auto started = runtime_.start(); !started)
        return started;
    pool_->start(options_.listener_threads);
    {
        const std::lock_guard lock{mutex_};
        state_ = state::running;
    }
    runtime_.post([this] { begin(); });
    return {};
}

void push_consumer::engine::begin() {
    std::vector<std::string> topics;
    {
        const std::lock_guard lock{mutex_};
        for (const auto& [topic, wanted] : subscriptions_)
            topics.push_back(topic);
    }
    for (const std::string& topic : topics)
        add_topic(topic);
    runtime_.every(options_.rebalance_interval, [this] { rebalance_all(); });
    runtime_.every(options_.lock_interval, [this] { lock_queues(lock_which::all); });
    runtime_.every(options_.commit_interval, [this] {
        if (!stopping_)
            commit_all([this](const result<void>& outcome) {
                if (!outcome)
                    trouble(outcome.failure());
            });
    });
}

// Route, then heartbeat (the broker must know us before it can name us as a member), then our share.
void push_consumer::engine::add_topic(const std::string& topic) {
    {
        const std::lock_guard lock{mutex_};
        for (const auto& [queue, puller] : pullers_)
            if (queue.topic == topic)
                puller->use(subscriptions_.at(topic));
    }
    runtime_.fetch_route(topic, [this, topic](const result<route_ptr>& route) {
        // A retry topic appears with the group's first heartbeat (trap T14): silently asked again later.
        if (!route && !protocol::is_retry_topic(topic))
            trouble({route.failure().code, "topic " + topic + ": " + route.failure().message});
        if (!route)
            rebalance_soon();
        const bool is_new = !route && route.failure().code == errc::not_found;
        const bool begun = std::any_of(pullers_.begin(), pullers_.end(),
                                       [&](const auto& each) { return each.first.topic == topic; });
        if (!is_new && !begun)
            old_topics_.insert(topic);
        runtime_.send_heartbeats([this, topic] {
            registered_ = true;
            rebalance(topic);
        });
    });
}

void push_consumer::engine::shutdown(std::chrono::milliseconds grace) {
    {
        const std::lock_guard lock{mutex_};
        if (state_ != state::running) {
            state_ = state::stopped;
            return;
        }
        state_ = state::stopped;
    }
    std::vector<std::shared_ptr<process_queue>> queues;
    run_on_io([&] {
        stopping_ = true;
        for (const auto& [id, puller] : pullers_) {
            puller->stop_pulling();
            if (puller->queue() != nullptr)
                queues.push_back(puller->queue());
        }
    });
    pool_->stop();
    for (const auto& queue : queues)
        queue->close();
    {
        std::unique_lock lock{mutex_};
        changed_.wait_for(lock, grace, [&] {
            return std::all_of(queues.begin(), queues.end(),
                               [](const auto& queue) { return queue->in_hand() == 0; });
        });
        // Each of them ends, by an answer or by its timeout.
        changed_.wait(lock, [&] { return returning_ == 0; });
    }
    std::promise<void> committed;
    runtime_.post([&] {
        commit_all([&](const result<void>& outcome) {
            if (!outcome)
                trouble(outcome.failure());
            committed.set_value();
        });
    });
    committed.get_future().wait();
    std::promise<void> unlocked;
    runtime_.post([&] { unlock_all([&] { unlocked.set_value(); }); });
    unlocked.get_future().wait();
    run_on_io([&] {
        for (const auto& [id, puller] : pullers_)
            puller->drop();
        pullers_.clear();
        publish_assignment();
    });
    runtime_.unregister({}, options_.group);
    runtime_.stop();
}

std::vector<message_queue> push_consumer::engine::assignment() const {
    const std::lock_guard lock{mutex_};
    return assignment_;
}

void push_consumer::engine::publish_assignment() {
    const std::lock_guard lock{mutex_};
    assignment_.clear();
    for (const auto& [id, puller] : pullers_)
        if (!puller->is_leaving())
            assignment_.push_back(id);
}

void push_consumer::engine::resume_all() {
    for (const auto& [id, puller] : pullers_)
        puller->resume();
}

void push_consumer::engine::trouble(error what) const {
    if (options_.on_trouble)
        options_.on_trouble(what);
}

void push_consumer::engine::run_on_io(const std::function<void()>& function) {
    std::promise<void> done;
    runtime_.post([&] {
        function();
        done.set_value();
    });
    done.get_future().wait();
}

} // namespace holdfast::client
