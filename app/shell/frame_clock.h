#pragma once

#include <QElapsedTimer>
#include <QObject>
#include <QTimer>

namespace warplight::app {

/// How long the GUI thread is busy at a stretch: from waking up to waiting again, which is what delays a screen frame.
class FrameClock : public QObject {
    Q_OBJECT
  public:
    explicit FrameClock(QObject* parent = nullptr);

    void reset() { stretches.clear(); }
    /// All stretches since the last reset() in milliseconds (measured); at most the newest 100,000.
    const std::vector<double>& measured() const { return stretches; }

  signals:
    void ticked(double worst); ///< once a second: the longest stretch of that second, ms

  private:
    void done();

    QElapsedTimer busy;
    QTimer second;
    std::vector<double> stretches;
    double worst = 0;
};

} // namespace warplight::app
